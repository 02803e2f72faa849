"""The warehouse: connections by role, the embedded server, migrations. A leaf that every package may use."""

from kefu.warehouse.connection import Role, Warehouse, WarehouseError

__all__ = ["Role", "Warehouse", "WarehouseError"]
