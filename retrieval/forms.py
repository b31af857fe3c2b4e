"""The forms of the library page."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import UploadedFile

from retrieval import library, permissions
from retrieval.lexical.stopwords import LANGUAGES
from retrieval.models import Collection

if TYPE_CHECKING:
    CollectionFieldBase = forms.ModelChoiceField[Collection]
else:
    CollectionFieldBase = forms.ModelChoiceField


class CollectionField(CollectionFieldBase):
    """A collection by its slug, of those that the form allows."""

    def to_python(self, value: Any) -> Collection | None:
        if value in self.empty_values:
            return None
        queryset = self.queryset
        found = None if queryset is None else library.named(queryset, str(value))
        if found is None:
            message = self.error_messages["invalid_choice"]
            raise forms.ValidationError(message, "invalid_choice", {"value": value})
        return found


class ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One file or several; the value is always a list."""

    widget = ManyFiles

    def clean(self, data: Any, initial: Any = None) -> "list[UploadedFile[Any]]":
        given: Sequence[Any] = data if isinstance(data, list | tuple) else [data]
        return [super(FilesField, self).clean(file, initial) for file in given]


class UploadForm(forms.Form):
    """Files for a collection that the user may add to."""

    collection = CollectionField(queryset=Collection.objects.none(), to_field_name="slug")
    file = FilesField(allow_empty_file=True, max_length=400)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["collection"].queryset = permissions.writable_collections(user)  # type: ignore[attr-defined]


class MoveForm(forms.Form):
    """The collection that a document goes to."""

    collection = CollectionField(queryset=Collection.objects.none(), to_field_name="slug")

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["collection"].queryset = permissions.writable_collections(user)  # type: ignore[attr-defined]


class ReplaceForm(forms.Form):
    file = forms.FileField(allow_empty_file=True, max_length=400)


def languages_field() -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        choices=[
            (code, name)
            for name, code in sorted((name.capitalize(), code) for code, name in LANGUAGES.items())
        ],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Languages of its documents",
        help_text="Words are found in all their forms in these languages. Without a choice, in that of each passage.",
    )


class CollectionForm(forms.Form):
    """A new collection. Groups that the user is in may be given; a superuser may give any."""

    name = forms.CharField(max_length=200)
    groups = forms.ModelMultipleChoiceField(
        queryset=Group.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Who may read it",
    )
    languages = languages_field()

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = Group.objects.all() if user.is_superuser else user.groups.all()
        self.fields["groups"].queryset = groups.order_by("name")  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"].strip()
        slug = library.slug_of(name)
        if not slug:
            raise forms.ValidationError("The name needs a letter or a digit.")
        if library.named(Collection.objects.all(), slug) is not None:
            raise forms.ValidationError("This name is taken.")
        return name


class CollectionAdminForm(forms.ModelForm):  # type: ignore[type-arg]
    """What an administrator may change of a collection. Its documents are read anew in other languages at once."""

    languages = languages_field()

    class Meta:
        model = Collection
        fields = ("name", "slug", "groups", "languages")

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if Collection.objects.filter(slug__iexact=slug).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("This name is taken, be it in another case.")
        return slug
