//! A clerk's year of district labs, and the years of the labs after it: forty applications in a round with twenty-seven places, over
//! the wire, by a clock that the test turns.

use mingce_e2e::{Store, on_both_stores};

mod applying;
mod deciding;
mod living;
mod records;
mod reviewing;
mod setting;

use records::{
    a_lab_that_was_recorded_twice_is_the_one_that_stays, what_was_returned_comes_again_until_the_day_that_was_set,
};
use setting::{APPLICANTS, Year, terms};

on_both_stores!(
    a_clerk_takes_forty_labs_through_a_round_and_the_years_after_it,
    what_was_returned_comes_again_until_the_day_that_was_set,
    a_lab_that_was_recorded_twice_is_the_one_that_stays,
);

async fn a_clerk_takes_forty_labs_through_a_round_and_the_years_after_it(store: Store) {
    let mut year = Year::begin(store, APPLICANTS, terms()).await;
    applying::compare_policies(&year).await;
    applying::submit_all(&mut year).await;
    applying::return_some(&year).await;
    applying::check_formally(&year).await;
    reviewing::review_all(&year).await;
    reviewing::simulate(&year).await;
    reviewing::reject_weak(&year).await;
    deciding::publish_all(&year).await;
    deciding::hear_objections(&year).await;
    deciding::approve_many(&year).await;
    deciding::close_round(&year).await;
    deciding::end_round(&year).await;
    living::build(&year).await;
    living::accept(&year).await;
    living::report(&year).await;
    living::evaluate(&year).await;
    living::rectify(&year).await;
    living::end(&year).await;
}
