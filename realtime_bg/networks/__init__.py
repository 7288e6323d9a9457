"""The network architectures, implemented from their papers."""

# Channel statistics of RGB in 0..1, with which encoders trained on ImageNet are normalised
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
