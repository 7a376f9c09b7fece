"""An environment of verifiers for tests: a tool with state of its own, without which no reply is right."""

from shop_tools.shop import ShopTaskset

__all__ = ["ShopTaskset"]
