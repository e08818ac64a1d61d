"""Linear evaluation on ImageNet as burn.py, with the rates of all protocols tried in one pass over the data.

A classifier a rate on the features of one frozen trunk; each becomes what a run of its rate alone makes. Validation
gives the top-1 of every rate and of the best. Any config here becomes such a one:

    --cfg-options model.head.type=LinearRates "model.head.rates=[0.01, 0.1, 1.0]"
"""

_base_ = ['./burn.py']
model = dict(head=dict(type='LinearRates', rates=[0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]))
