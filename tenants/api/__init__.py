"""The bases of the API. An app's api.py declares serializers and viewsets on them.

access: who may call. fields: how a row comes in and goes out. lists: pages, filters. resources: what a
resource can do. schema: what OpenAPI says of it all. members: the API of this app.

settings.py names classes of access, fields and lists, and REST framework loads them while its own views
are being imported: these three must not import views.
"""
