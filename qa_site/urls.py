from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path
from django.views.generic import RedirectView

from answering.api import build
from qa_site import health, ops
from qa_site.login_tries import AdminLoginForm, LoginView, tells_to_wait

admin.site.login_form = AdminLoginForm
admin.site.site_header = admin.site.site_title = "Citefirst administration"
handler400 = "qa_site.refusals.bad_request"
handler500 = "qa_site.refusals.failed"

urlpatterns = [
    path("favicon.ico", RedirectView.as_view(url="/static/favicon.svg")),  # a PDF has no head that names it
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("ops/", ops.ops, name="ops"),
    path("admin/login/", tells_to_wait(admin.site.login)),
    path("admin/", admin.site.urls),
    path("accounts/login/", tells_to_wait(LoginView.as_view()), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("accounts/password/", auth.PasswordChangeView.as_view(), name="password_change"),
    path("accounts/password/done/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("api/v1/", build().urls),
    path("", include("answering.urls")),
    path("", include("retrieval.urls")),
]
