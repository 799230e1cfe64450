"""Imports: deliver a file, say its columns, try it, watch it, see what became of every line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import translation
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.forms import UploadForm
from customers.imports import service
from customers.imports.fields import Field
from customers.models import Import
from tenants.pages import FormPage, TenantView

LIST_SIZE = 50
FAILED_SHOWN = 200


class ImportList(TenantView):
    """The files that were delivered, newest first."""

    permission = "imports:read"
    nav = "imports"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        rows = list(Import.objects.select_related("member__user").order_by("-pk")[: LIST_SIZE + 1])
        return self.render(
            "customers/imports.html", imports=rows[:LIST_SIZE], has_more=len(rows) > LIST_SIZE, size=LIST_SIZE
        )


class ImportAdd(FormPage):
    """Deliver a file."""

    permission = "imports:write"
    nav = "imports"
    heading = gettext_lazy("Import a file")
    submit = gettext_lazy("Upload")

    def form(self, data: Any = None, files: Any = None) -> UploadForm:
        kind = self.request.GET.get("kind", Import.Kind.ORDERS)
        return UploadForm(data, files, initial={"kind": kind})

    def save(self, form: UploadForm) -> HttpResponse:
        upload, said = form.cleaned_data["file"], form.cleaned_data
        try:
            with transaction.atomic():  # of a refused file no row stays
                import_ = service.start_import(
                    kind=said["kind"], source=said["source"], file=upload, filename=upload.name, member=self.member
                )
        except service.ImportProblem as problem:
            form.add_error("file", str(problem))
            return self.show(form)
        return self.done("import-columns", pk=import_.pk)

    def back(self) -> str:
        return self.address("imports")


class _OfImport(TenantView):
    permission = "imports:read"
    write_permission = "imports:write"
    nav = "imports"

    @cached_property
    def import_(self) -> Import:
        found: Import = get_object_or_404(Import.objects.select_related("member__user"), pk=self.kwargs["pk"])
        return found


class ImportColumns(_OfImport):
    """Which column of the file is which of our fields; then try it, or start it."""

    permission = "imports:write"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if self.import_.status != Import.Status.UPLOADED:
            return self.done("import", pk=self.import_.pk)
        return self._show()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if self.import_.status != Import.Status.UPLOADED:
            return self.done("import", pk=self.import_.pk)  # sent twice
        # An empty choice says that the field has no column, whatever the headers suggest.
        said = {field.name: request.POST.get(f"field-{field.name}", "") for field in self._fields()}
        self.import_.dry_run = request.POST.get("how") == "try"
        self.import_.save(update_fields=["dry_run"])
        try:
            service.queue_import(self.import_, said)
        except service.ImportProblem as problem:
            return self._show(said, str(problem))
        return self.done("import", pk=self.import_.pk)

    def _fields(self) -> tuple[Field, ...]:
        return service.fields_of(self.import_.kind)

    def _show(self, said: dict[str, str] | None = None, problem: str = "") -> HttpResponse:
        try:
            look = service.look_at(self.import_)
        except service.ImportProblem as refusal:
            return self.render("customers/import_refused.html", import_=self.import_, problem=str(refusal))
        chosen = look.proposed if said is None else said
        fields = self._fields()
        return self.render(
            "customers/import_columns.html",
            import_=self.import_,
            look=look,
            fields=[(field, chosen.get(field.name, "")) for field in fields],
            rows=[[row.get(header, "") for header in look.headers] for row in look.rows],
            used={chosen[field.name]: field.label for field in fields if chosen.get(field.name)},
            problem=problem,
        )


class ImportPage(_OfImport):
    """How far an import is; when it has ended, what became of it."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if self.import_.status == Import.Status.UPLOADED and self.member.can("imports:write"):
            return self.done("import-columns", pk=self.import_.pk)
        # The progress bar asks again by itself; its last answer is the whole outcome.
        template = "customers/_import.html" if self.request.htmx else "customers/import.html"
        ended = not self.import_.is_running
        failed = service.outcome_page(self.import_, outcome="failed", limit=FAILED_SHOWN) if ended else []
        return self.render(
            template,
            import_=self.import_,
            failed=failed,
            more_failed=max(0, self.import_.failed - len(failed)),
            has_outcome=ended and self.import_.started_at is not None,
        )


class ImportOutcome(_OfImport):
    """What became of every line, as a CSV file."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        language = translation.get_language()
        lines: Iterator[bytes] = service.outcome_csv(self.import_, language)
        response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="import-{self.import_.pk}-outcome.csv"'
        return response


class ImportCancel(_OfImport):
    """Stop an import; what it has written stays."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if service.cancel_import(self.import_):
            messages.success(request, _("The import is cancelled. What was written until then stays."))
        else:
            messages.warning(request, _("The import had ended already."))
        return self.done("import", pk=self.import_.pk)


class ImportRepeat(_OfImport):
    """Import for real what has been tried, with the same columns."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            again = service.repeat_import(self.import_, member=self.member)
        except service.ImportProblem as problem:
            messages.error(request, str(problem))
            return self.done("import", pk=self.import_.pk)
        return self.done("import", pk=again.pk)
