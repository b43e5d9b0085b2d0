"""TideBot: daily moving-average bot for US stocks."""

__version__ = "0.4.0"
