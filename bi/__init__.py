"""Dashboards declared once as YAML and SQL, compiled to static pages and to Metabase."""
