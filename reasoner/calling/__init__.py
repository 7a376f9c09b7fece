"""One recorded model call: `caller` makes it, `retry` asks again, `limiter` bounds how many are under way."""
