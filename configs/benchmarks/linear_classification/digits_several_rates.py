"""Linear evaluation on the digits as digits.py, with four rates in one pass over the data; the best is reported."""

_base_ = ['./digits.py']
model = dict(head=dict(type='LinearRates', rates=[0.1, 0.3, 1.0, 3.0]))
