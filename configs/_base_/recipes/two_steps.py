"""A classifier in two steps: binary activations, then both binary. The child says whose `configs`."""

steps = [
    dict(name='step1', config='_step1.py', weights='multi'),
    dict(name='step2', config='_step2.py', inputs=dict(load_from='step1'), weights='multi'),
]
test = 'own'
