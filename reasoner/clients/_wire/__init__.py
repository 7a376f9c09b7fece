"""What remote clients share: transport, endpoint, profiles, server-sent events, and the two dialects."""
