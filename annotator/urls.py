"""Every address of the application."""

from django.contrib import admin
from django.urls import include, path, re_path

from annotator.runtime import health
from annotator.web import entrance

urlpatterns = [
    path("health", health.health, name="health"),
    path("api/v1/", include("annotator.api.urls")),
    # Nothing is sent by e-mail: the library's pages that would send something give way to these.
    path("accounts/password/reset/", entrance.forgotten, name="account_reset_password"),
    re_path(r"^accounts/(?:email|confirm-email)/", entrance.no_mail, name="account_no_mail"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("", include("annotator.web.urls")),
]

handler500 = "annotator.runtime.middleware.server_error"
