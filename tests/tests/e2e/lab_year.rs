//! A clerk's year of district labs, and the years of the labs after it: forty applications in a round with twenty-seven
//! places, over the wire, by a clock that the test turns.

use mingce_e2e::{Store, on_both_stores};

mod applications;
mod decisions;
mod fixture;
mod later_years;
mod records;
mod reviews;

use fixture::{APPLICANTS, Year, terms};
use records::{
    a_lab_that_was_recorded_twice_is_the_one_that_stays, what_was_returned_comes_again_until_the_day_that_was_set,
};

on_both_stores!(
    a_clerk_takes_forty_labs_through_a_round_and_the_years_after_it,
    what_was_returned_comes_again_until_the_day_that_was_set,
    a_lab_that_was_recorded_twice_is_the_one_that_stays,
);

async fn a_clerk_takes_forty_labs_through_a_round_and_the_years_after_it(store: Store) {
    let mut year = Year::begin(store, APPLICANTS, terms()).await;
    applications::compare_policies(&year).await;
    applications::submit_all(&mut year).await;
    applications::return_some(&year).await;
    applications::check_formally(&year).await;
    reviews::review_all(&year).await;
    reviews::simulate(&year).await;
    reviews::reject_weak(&year).await;
    decisions::publish_all(&year).await;
    decisions::hear_objections(&year).await;
    decisions::approve_many(&year).await;
    decisions::close_round(&year).await;
    decisions::end_round(&year).await;
    later_years::build(&year).await;
    later_years::accept(&year).await;
    later_years::report(&year).await;
    later_years::evaluate(&year).await;
    later_years::rectify(&year).await;
    later_years::end(&year).await;
}
