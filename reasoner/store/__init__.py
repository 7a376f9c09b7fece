"""The SQLite file: connection, migrations, journal, queries.

    store = Store.open("trajectories.db")
    store.rows("select * from leaderboard")
    store.close()

This package is the one place that opens SQLite. It does not know what a strategy does or what a model is.
"""

from reasoner.store.database import Store

__all__ = ["Store"]
