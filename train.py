"""Train a model of the zoo: ``python train.py --help``."""

from geozoo.cli.train import main

if __name__ == "__main__":
    main()
