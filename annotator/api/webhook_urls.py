"""Addresses of the API about webhooks, a part of `urls.py`."""

from django.urls import URLPattern, path

from annotator.api import webhooks

ALL = "projects/<int:project_id>/webhooks"
ONE = f"{ALL}/<int:webhook_id>"

urlpatterns: list[URLPattern] = [
    path("webhook-hosts", webhooks.WebhookHosts.as_view(), name="api_webhook_hosts"),
    path("webhook-hosts/<int:host_id>", webhooks.OneWebhookHost.as_view(), name="api_webhook_host"),
    path(ALL, webhooks.Webhooks.as_view(), name="api_webhooks"),
    path(ONE, webhooks.OneWebhook.as_view(), name="api_webhook"),
    path(f"{ONE}/secret", webhooks.WebhookSecret.as_view(), name="api_webhook_secret"),
    path(f"{ONE}/test", webhooks.WebhookTest.as_view(), name="api_webhook_test"),
    path(f"{ONE}/deliveries", webhooks.Deliveries.as_view(), name="api_deliveries"),
    path(
        f"{ONE}/deliveries/<int:delivery_id>", webhooks.OneDelivery.as_view(), name="api_delivery"
    ),
    path(
        f"{ONE}/deliveries/<int:delivery_id>/again",
        webhooks.DeliveryAgain.as_view(),
        name="api_delivery_again",
    ),
]
