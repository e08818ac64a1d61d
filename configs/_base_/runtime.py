"""What every run shares: the scope of names, the seed, where numbers go."""

default_scope = 'binssl'
randomness = dict(seed=0)
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
