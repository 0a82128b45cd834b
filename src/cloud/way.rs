//! Which proxy a request went through, noted where all requests pass: what comes back may be the proxy's own words, and an
//! error that tells so is made far from here.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use crate::network::Network;

/// Our own note on answers; no service sends it.
const HEADER: &str = "x-deployer-proxy";

/// Notes on each answer the proxy that it came by.
#[derive(Debug)]
pub(super) struct NoteWay(pub(super) Network);

#[derive(Debug)]
struct Through(String);

impl Storable for Through {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for NoteWay {
    fn name(&self) -> &'static str {
        "NoteWay"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(proxy) = self.0.proxy_of(context.request().uri()) {
            bag.interceptor_state().store_put(Through(proxy.to_string()));
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response_mut().headers_mut();
        headers.remove(HEADER);
        if let Some(Through(proxy)) = bag.load::<Through>() {
            headers.insert(HEADER, proxy.clone());
        }
        Ok(())
    }
}

/// The proxy that an answer came by, as it may be shown.
pub(super) fn proxy(response: &HttpResponse) -> Option<&str> {
    response.headers().get(HEADER)
}
