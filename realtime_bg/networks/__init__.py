"""Networks, written from their papers."""

# Of pictures in 0..1, RGB: what encoders trained on ImageNet are fed
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
