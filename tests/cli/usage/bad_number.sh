$bantam verify x --against y --text t --context many
