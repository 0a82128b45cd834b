//! Noting in the run's journal that a request may have changed something: seen here, where all requests pass, so that no
//! caller can forget it.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use super::repeated::changes_stage;
use crate::journal::Journal;

#[derive(Debug)]
pub(super) struct NoteChanges(pub(super) Journal);

#[dyn_dispatch_hint]
impl Intercept for NoteChanges {
    fn name(&self) -> &'static str {
        "NoteChanges"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if writes(bag) {
            self.0.note_change();
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // What was refused wasn't done. Without an answer, or when the service failed at it, it may have been.
        let is_refused = context
            .response()
            .is_some_and(|response| response.status().is_client_error());
        if is_refused && writes(bag) {
            self.0.note_refusal();
        }
        Ok(())
    }
}

fn writes(bag: &ConfigBag) -> bool {
    bag.load::<OfPlan>().is_none()
        && bag
            .load::<Metadata>()
            .is_some_and(|metadata| changes_stage(metadata.name()))
}

/// Marks a request that only makes or takes away what a plan needs, though others of its operation change something.
#[derive(Debug)]
pub(crate) struct PlansOnly;

#[derive(Debug)]
struct OfPlan;

impl Storable for OfPlan {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for PlansOnly {
    fn name(&self) -> &'static str {
        "PlansOnly"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state().store_put(OfPlan);
        Ok(())
    }
}
