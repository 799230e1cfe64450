"""Sending what the outbox holds: by mail and by gateways, each message once or reported as uncertain."""
