"""Loading: version logs, quarantine, text vault. One transaction per load; nothing half-done is ever visible."""
