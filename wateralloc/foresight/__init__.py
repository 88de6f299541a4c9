"""Ways of looking ahead: how the period is stacked and solved."""
