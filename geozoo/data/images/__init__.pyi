from .image_store import ImageStore, pixel_positions
from .labelled_images import LabelledImages
from .mnist_pixels import MNISTPixels
from .mnist_superpixels import MNISTSlic, MNISTSuperpixels
from .superpixels import SlicOptions, slic_graphs

__all__ = [
    "ImageStore",
    "LabelledImages",
    "MNISTPixels",
    "MNISTSlic",
    "MNISTSuperpixels",
    "SlicOptions",
    "pixel_positions",
    "slic_graphs",
]
