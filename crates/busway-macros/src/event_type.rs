use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, LitStr, Member, Result, Type, spanned::Spanned};

use crate::type_name;

/// The implementation of `busway::EventType`.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let name = event_name(input)?;
    let key = match &input.data {
        Data::Struct(data) => key_of(input, &data.fields)?,
        Data::Enum(data) => {
            no_key_in(data.variants.iter().flat_map(|variant| &variant.fields))?;
            None
        }
        Data::Union(_) => return Err(Error::new(input.ident.span(), "a union cannot be a payload; use a struct")),
    };
    let key = key.map(|body| {
        quote! {
            fn key(&self) -> ::std::option::Option<::std::string::String> {
                #body
            }
        }
    });
    if !input.generics.params.is_empty() {
        return Err(Error::new(
            input.generics.span(),
            "an event type has one payload, and a generic one would be many",
        ));
    }
    let ident = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl ::busway::EventType for #ident {
            const NAME: &'static str = #name;
            #key
        }
    })
}

fn event_name(input: &DeriveInput) -> Result<LitStr> {
    let mut attributes = input.attrs.iter().filter(|attribute| attribute.path().is_ident("event"));
    let Some(attribute) = attributes.next() else {
        let example = "which event is this? name it: #[event(\"ticket.created\")]";
        return Err(Error::new(input.ident.span(), example));
    };
    if let Some(second) = attributes.next() {
        return Err(Error::new(second.span(), "a payload has one type, and this is its second"));
    }
    let name: LitStr = attribute.parse_args().map_err(|error| {
        Error::new(error.span(), "expected the name of the event's type in quotes: #[event(\"ticket.created\")]")
    })?;
    type_name::check(&name.value()).map_err(|fault| Error::new(name.span(), fault))?;
    Ok(name)
}

fn key_of(input: &DeriveInput, fields: &Fields) -> Result<Option<TokenStream>> {
    let ident = &input.ident;
    match fields {
        Fields::Unit => {
            let detail =
                format!("a payload is a JSON object, and `{ident}` would be null; write `struct {ident} {{}}`");
            return Err(Error::new(ident.span(), detail));
        }
        Fields::Unnamed(unnamed) if unnamed.unnamed.len() != 1 => {
            let detail = format!("a payload is a JSON object, and `{ident}` would be an array; give its fields names");
            return Err(Error::new(ident.span(), detail));
        }
        Fields::Unnamed(_) | Fields::Named(_) => {}
    }
    let mut key = None;
    for (member, field) in fields.members().zip(fields) {
        if is_key(field)? {
            if key.is_some() {
                return Err(Error::new(field.span(), "an event has one key, and this is its second"));
            }
            key = Some(text_of(&member, field));
        }
    }
    Ok(key)
}

fn no_key_in<'a>(fields: impl Iterator<Item = &'a Field>) -> Result<()> {
    for field in fields {
        if let Some(attribute) = event_attributes(field).next() {
            let detail = "an enum has no key field; give the key when it is published: publish(event).key(..)";
            return Err(Error::new(attribute.span(), detail));
        }
    }
    Ok(())
}

fn is_key(field: &Field) -> Result<bool> {
    let mut found = false;
    for attribute in event_attributes(field) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("key") {
                return Err(meta.error("expected #[event(key)]"));
            }
            found = true;
            Ok(())
        })?;
    }
    Ok(found)
}

fn event_attributes(field: &Field) -> impl Iterator<Item = &Attribute> {
    field.attrs.iter().filter(|attribute| attribute.path().is_ident("event"))
}

/// The spans are the field type's, so that a type which cannot be displayed is shown where it stands.
fn text_of(member: &Member, field: &Field) -> TokenStream {
    let span = field.ty.span();
    if is_option(&field.ty) {
        quote_spanned!(span=> self.#member.as_ref().map(::std::string::ToString::to_string))
    } else {
        quote_spanned!(span=> ::std::option::Option::Some(::std::string::ToString::to_string(&self.#member)))
    }
}

fn is_option(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Option" && !last.arguments.is_empty())
}

#[cfg(test)]
#[path = "event_type_tests.rs"]
mod tests;
