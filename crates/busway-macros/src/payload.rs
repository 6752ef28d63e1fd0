use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Data, DeriveInput, Error, Fields, Result, Type, Variant, spanned::Spanned};

/// The implementation of `busway::Payload`.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        let detail =
            "Payload is derived for enums, a variant for each event type; a struct of one type derives EventType";
        return Err(Error::new(input.ident.span(), detail));
    };
    if data.variants.is_empty() {
        return Err(Error::new(input.ident.span(), "the enum has no variant, so it could hear nothing"));
    }
    let mut types: Vec<&Type> = Vec::new();
    for variant in &data.variants {
        let held = held_by(variant)?;
        if types.iter().any(|earlier| earlier.to_token_stream().to_string() == held.to_token_stream().to_string()) {
            let detail = format!(
                "an earlier variant holds `{}` already, so this one would never be used",
                held.to_token_stream()
            );
            return Err(Error::new(held.span(), detail));
        }
        types.push(held);
    }
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let ident = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics ::busway::Payload for #ident #arguments #bounds {
            fn patterns() -> ::std::vec::Vec<&'static str> {
                let mut patterns = ::std::vec::Vec::new();
                #(patterns.extend(<#types as ::busway::Payload>::patterns());)*
                patterns
            }

            fn handles(event_type: &::busway::raw::EventType) -> bool {
                #(<#types as ::busway::Payload>::handles(event_type))||*
            }

            fn decode(
                event_type: &::busway::raw::EventType,
                payload: &::busway::raw::Payload,
            ) -> ::std::result::Result<Self, ::busway::Undecodable> {
                #(
                    if <#types as ::busway::Payload>::handles(event_type) {
                        return <#types as ::busway::Payload>::decode(event_type, payload).map(Self::#variants);
                    }
                )*
                ::std::result::Result::Err(::busway::Undecodable::unknown_type(event_type))
            }
        }
    })
}

fn held_by(variant: &Variant) -> Result<&Type> {
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Ok(&fields.unnamed[0].ty),
        _ => {
            let detail = format!("a variant holds the payload of one event type: `{}(TicketCreated)`", variant.ident);
            Err(Error::new(variant.span(), detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_str;

    use super::expand;

    fn error_of(source: &str) -> (String, String) {
        let error = expand(&parse_str(source).unwrap()).unwrap_err();
        let (start, end) = (error.span().start(), error.span().end());
        let at = source.lines().nth(start.line - 1).unwrap()[start.column..end.column].to_owned();
        (at, error.to_string())
    }

    #[test]
    fn every_variant_asks_what_it_holds() {
        let source = "enum Shift { Created(ShiftCreated), Deleted(model::ShiftDeleted) }";
        let expanded = expand(&parse_str(source).unwrap()).unwrap().to_string();
        assert!(expanded.contains("impl :: busway :: Payload for Shift"));
        for held in ["ShiftCreated", "model :: ShiftDeleted"] {
            assert!(expanded.contains(&format!("< {held} as :: busway :: Payload > :: handles (event_type)")));
        }
    }

    #[test]
    fn a_struct_is_sent_to_the_other_derive() {
        let (at, error) = error_of("struct Shift { id: u32 }");
        assert_eq!(at, "Shift");
        assert!(error.contains("derives EventType"));
    }

    #[test]
    fn a_variant_that_holds_no_payload_is_shown_how() {
        let (at, error) = error_of("enum Shift { Created }");
        assert_eq!(at, "Created");
        assert!(error.contains("`Created(TicketCreated)`"));
    }

    #[test]
    fn a_variant_that_could_never_be_used_is_refused() {
        let (at, error) = error_of("enum Shift { Created(ShiftCreated), Again(ShiftCreated) }");
        assert_eq!(at, "ShiftCreated");
        assert!(error.contains("`ShiftCreated` already"));
    }

    #[test]
    fn an_enum_without_variants_is_refused() {
        assert_eq!(error_of("enum Shift {}").0, "Shift");
    }
}
