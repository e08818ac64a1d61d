"""Bi-Real Net step by step: three real networks, the binary one, its BatchNorms. The child says whose `configs`."""

steps = [
    dict(name='relu', config='_relu.py', weights='multi'),
    dict(name='leaky_clip', config='_leaky_clip.py', inputs=dict(load_from='relu'), weights='multi'),
    dict(name='clip', config='_clip.py', inputs=dict(load_from='leaky_clip'), weights='multi'),
    dict(name='binary', config='_binary.py', inputs=dict(load_from='clip'), weights='multi'),
    dict(name='norms', config='_norms.py', inputs=dict(load_from='binary'), weights='multi'),
]
test = 'own'
