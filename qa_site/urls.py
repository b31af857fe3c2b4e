from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from answering.api import build
from qa_site import health, ops

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("ops/", ops.ops, name="ops"),
    path("admin/", admin.site.urls),
    path("accounts/login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("accounts/password/", auth.PasswordChangeView.as_view(success_url="/"), name="password_change"),
    path("api/v1/", build().urls),
    path("", include("answering.urls")),
    path("", include("retrieval.urls")),
]
