//! What resources with a life cycle have in common, and cases among them. Generated from the contract, so that no field is named by hand
//! in each service.

use crate::registry::{CaseFacts, CaseVerb, DecisionDocument};

/// A resource with a state, and with the verbs that lead on from it.
pub trait StatefulMessage {
    /// The number of its state.
    fn state_number(&self) -> i32;
    /// Sets it.
    fn set_state_number(&mut self, state: i32);
    /// The verbs that lead on from its state.
    fn verbs_mut(&mut self) -> &mut Vec<CaseVerb>;
    /// What a case keeps of its way; `None` where it is no case, or began none.
    fn facts(&self) -> Option<&CaseFacts> {
        None
    }
    /// The documents of its decisions, where it is a case.
    fn documents_mut(&mut self) -> Option<&mut Vec<DecisionDocument>> {
        None
    }
}

/// A case: it is decided under a policy.
pub trait CaseMessage: StatefulMessage {
    /// What it keeps of its way.
    fn facts_mut(&mut self) -> &mut CaseFacts;
    /// The documents of its decisions.
    fn documents(&self) -> &[DecisionDocument];
    /// The number of the document that decided it.
    fn document_number(&self) -> &str;
    /// The same, to be changed.
    fn document_number_mut(&mut self) -> &mut String;
}

macro_rules! stateful_message {
    ($message:ty $(, $more:item)*) => {
        impl StatefulMessage for $message {
            fn state_number(&self) -> i32 {
                self.state
            }

            fn set_state_number(&mut self, state: i32) {
                self.state = state;
            }

            fn verbs_mut(&mut self) -> &mut Vec<CaseVerb> {
                &mut self.verbs
            }

            $($more)*
        }
    };
}

macro_rules! case_message {
    ($message:ty) => {
        stateful_message!(
            $message,
            fn facts(&self) -> Option<&CaseFacts> {
                self.case.as_ref()
            },
            fn documents_mut(&mut self) -> Option<&mut Vec<DecisionDocument>> {
                Some(&mut self.documents)
            }
        );

        impl CaseMessage for $message {
            fn facts_mut(&mut self) -> &mut CaseFacts {
                self.case.get_or_insert_default()
            }

            fn documents(&self) -> &[DecisionDocument] {
                &self.documents
            }

            fn document_number(&self) -> &str {
                &self.document_number
            }

            fn document_number_mut(&mut self) -> &mut String {
                &mut self.document_number
            }
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/cases.rs"));
