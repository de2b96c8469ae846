"""The one crank: `step(state, event, policy) -> (state, actions)`."""
