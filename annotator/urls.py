"""Every address of the application."""

from django.contrib import admin
from django.urls import include, path

from annotator.runtime import health

urlpatterns = [
    path("health", health.health, name="health"),
    path("api/v1/", include("annotator.api.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("", include("annotator.web.urls")),
]

handler500 = "annotator.runtime.middleware.server_error"
