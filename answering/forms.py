"""Forms of the conversation pages."""

from typing import TYPE_CHECKING, ClassVar

from django import forms

from answering.models import Conversation

if TYPE_CHECKING:  # the generic exists in the stubs only
    Base = forms.ModelForm[Conversation]
else:
    Base = forms.ModelForm


class ConversationForm(Base):
    class Meta:
        model = Conversation
        fields: ClassVar = ["title"]
