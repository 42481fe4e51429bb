"""Image datasets: MNIST as pixels or superpixels, and labelled images from files."""

from geozoo.data.images.image_store import ImageStore, pixel_positions
from geozoo.data.images.labelled_images import LabelledImages
from geozoo.data.images.mnist_pixels import MNISTPixels
from geozoo.data.images.mnist_superpixels import MNISTSlic, MNISTSuperpixels
from geozoo.data.images.superpixels import SlicOptions, slic_graphs

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
