//! Places at which the tests have a program crash, panic or wait; without the feature `fail-points`
//! there is nothing of them.

/// Names a place. `FAILPOINTS="name=return"` in the environment of a program that set them up ends its
/// process there as a crash would; the other actions are those of the crate `fail`.
#[cfg(feature = "fail-points")]
macro_rules! fail_point {
    ($name:literal) => {
        fail::fail_point!($name, |_| std::process::abort())
    };
}

#[cfg(not(feature = "fail-points"))]
macro_rules! fail_point {
    ($name:literal) => {};
}
