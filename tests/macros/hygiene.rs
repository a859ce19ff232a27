//! Code written by `#[task]` and `#[cached]` means the same whatever the names around it mean.

use task_runtime::handler::Registry;

/// Every name that generated code might be tempted to use, meaning something else. (Not `str` and its like: the derives of
/// serde take these for what they are.)
#[allow(dead_code, non_camel_case_types, unused_macros)]
mod hostile {
    pub(super) struct Arguments;
    pub(super) struct Box;
    pub(super) struct Context;
    pub(super) struct Cow;
    pub(super) struct Duration;
    pub(super) struct Error;
    pub(super) struct Into;
    pub(super) struct None;
    pub(super) struct Ok;
    pub(super) struct Option;
    pub(super) struct Result;
    pub(super) struct Self_;
    pub(super) struct Some;
    pub(super) struct String;
    pub(super) struct TaskDef;
    pub(super) struct Vec;
    pub(super) trait Deserialize {}
    pub(super) trait FromContext {}
    pub(super) trait Future {}
    pub(super) trait Send {}
    pub(super) trait Serialize {}
    pub(super) trait Sized {}
    pub(super) trait Task {}
    pub(super) trait TaskReturn {}
    pub(super) trait PlainReturn {}
    pub(super) trait ToString {}
    pub(super) struct Arc;
    pub(super) struct Call;
    pub(super) struct Forgotten;
    pub(super) struct Function;
    pub(super) struct Kept;
    pub(super) struct Returned;
    pub(super) struct Ttl;
    pub(super) mod alloc {}
    pub(super) mod core {}
    pub(super) mod inventory {}
    pub(super) mod serde {}
    pub(super) mod std {}
    pub(super) mod task_runtime {}

    macro_rules! hostile_macros {
        ($($name:ident)*) => {$(
            macro_rules! $name {
                ($d:tt) => { compile_error!("a macro of the user was called") };
            }
        )*};
    }
    hostile_macros!(format_args vec file line module_path concat stringify format panic matches);

    pub(super) const fn run() {}
    pub(super) const fn inject() {}
    pub(super) const fn requires() {}
    pub(super) const fn returned() {}
    pub(super) const fn blocking() {}

    #[::task_runtime::task(
        name = "hostile.everything",
        aliases = ["hostile.old"],
        queue = "mail",
        timeout = 30,
        max_attempts = 3,
        max_crashes = 3,
        backoff = [1, "5s"],
        priority = 1,
        result_ttl = "1h",
    )]
    pub(super) async fn everything(
        text: &str,
        list: &[u8],
        #[inject] data: &::task_runtime::Data<u8>,
    ) -> ::std::result::Result<usize, ::std::string::String> {
        let _ = data;
        ::std::result::Result::Ok(text.len() + list.len())
    }

    #[::task_runtime::cached(
        name = "hostile.cached",
        by = ["text", "list"],
        ttl = "forever",
        version = 2,
        tags = ["all", "text:{text}"],
        cache_errors = 1,
    )]
    pub(super) async fn cached(
        text: &str,
        list: &[u8],
        data: &u8,
    ) -> ::std::result::Result<usize, ::std::string::String> {
        let _ = data;
        ::std::result::Result::Ok(text.len() + list.len())
    }

    #[::task_runtime::cached(name = "hostile.owned", stale = 1, early = true)]
    pub(super) async fn owned(text: ::std::string::String) -> ::std::option::Option<u8> {
        let _ = text;
        ::std::option::Option::None
    }

    #[::task_runtime::task(name = "hostile.blocks", blocking)]
    pub(super) fn blocks(text: ::std::string::String) {
        let _ = text;
    }
}

/// Tasks with the names of what generated code calls.
mod functions {
    use task_runtime::task;

    #[task(name = "functions.run")]
    pub(super) async fn run(run: u8) {
        let _ = run;
    }

    #[task(name = "functions.inject")]
    pub(super) async fn inject(inject: u8) {
        let _ = inject;
    }

    #[task(name = "functions.returned")]
    pub(super) async fn returned() {}

    #[task(name = "functions.new")]
    pub(super) async fn new(new: u8, options: u8, enqueue: u8) {
        let _ = (new, options, enqueue);
    }

    #[task(name = "functions.blocking", blocking)]
    pub(super) fn blocking(blocking: u8) {
        let _ = blocking;
    }
}

/// Parameters with the names of generated locals, of the function, of constants and of fields elsewhere.
mod parameters {
    use task_runtime::{Data, task};

    #[allow(dead_code)]
    static CONTEXT: u8 = 1;

    #[task(name = "parameters.all")]
    #[allow(clippy::too_many_arguments)]
    pub(super) async fn all(
        all: &str,
        job: u8,
        #[inject] ctx: &Data<u8>,
        context: u8,
        args: u8,
        self_: u8,
        __task_job: u8,
        __task_context: u8,
        __task_arguments: u8,
        __task_value_0: u8,
        #[inject] __task_value_1: Data<u8>,
        r#type: u8,
        value: u8,
        error: u8,
    ) -> Result<(), String> {
        let _ = (all, job, ctx, context, args, self_, __task_job, __task_context, __task_arguments);
        let _ = (__task_value_0, __task_value_1, r#type, value, error);
        Ok(())
    }
}

/// Cached functions with the names of what generated code calls, and with parameters of such names.
mod cached_functions {
    use task_runtime::cached;

    #[cached(name = "uncached")]
    pub(super) async fn uncached(uncached: u8) -> u8 {
        uncached
    }

    #[cached(name = "key")]
    pub(super) async fn key(key: u8, invalidate: u8, refresh: u8) -> u8 {
        key + invalidate + refresh
    }

    #[cached(name = "run")]
    pub(super) async fn run(run: u8, call: u8, make: u8) -> u8 {
        run + call + make
    }

    #[allow(clippy::too_many_arguments, non_snake_case)]
    #[cached(name = "parameters", tags = "{__cached_call}:{__cached_argument_1}")]
    pub(super) async fn parameters(
        parameters: u8,
        __cached_call: u8,
        __CACHED_FUNCTION: u8,
        __cached_argument_0: u8,
        __cached_argument_1: u8,
        self_: u8,
        r#type: u8,
        runtime: u8,
    ) -> u8 {
        let _ = (__CACHED_FUNCTION, __cached_argument_0, __cached_argument_1, self_, runtime);
        parameters + __cached_call + r#type
    }
}

#[test]
fn cached_functions_among_hostile_names_have_their_keys() {
    assert_eq!(hostile::cached::key("a", &[1]).unwrap(), r#"hostile.cached@2:["a",[1]]"#);
    assert_eq!(hostile::owned::key("a".to_owned()).unwrap(), r#"hostile.owned:["a"]"#);
    assert_eq!(cached_functions::uncached::key(1).unwrap(), "uncached:[1]");
    assert_eq!(cached_functions::key::key(1, 2, 3).unwrap(), "key:[1,2,3]");
    assert_eq!(cached_functions::run::key(1, 2, 3).unwrap(), "run:[1,2,3]");
    assert_eq!(cached_functions::parameters::key(1, 2, 3, 4, 5, 6, 7, 8).unwrap(), "parameters:[1,2,3,4,5,6,7,8]");
}

#[tokio::test]
async fn cached_functions_among_hostile_names_can_be_called() {
    use task_runtime::Cache;
    use task_runtime::cache::{default_cache, set_default_cache};

    set_default_cache(Cache::in_memory());
    assert_eq!(hostile::cached("a", &[1], &2).await, Ok(2));
    assert_eq!(hostile::owned("a".to_owned()).await, None);
    assert_eq!(cached_functions::key(1, 2, 3).await, 6);
    assert_eq!(cached_functions::run(1, 2, 3).await, 6);
    assert_eq!(cached_functions::uncached::uncached(1).await, 1);
    assert_eq!(cached_functions::parameters(1, 2, 3, 4, 5, 6, 7, 8).await, 10);
    let stored = default_cache().unwrap().get::<u8>("parameters:[1,2,3,4,5,6,7,8]").await;
    assert_eq!(stored.unwrap(), Some(10));
}

#[test]
fn tasks_among_hostile_names_are_registered() {
    let (registry, faults) = Registry::linked();
    assert!(faults.is_empty(), "{faults:?}");
    for (alias, name) in [
        ("hostile.old", "hostile.everything"),
        ("hostile.blocks", "hostile.blocks"),
        ("functions.run", "functions.run"),
        ("functions.new", "functions.new"),
        ("parameters.all", "parameters.all"),
    ] {
        let task = registry.get(alias).expect("the task is linked");
        assert_eq!(task.name, name);
        assert!(task.site.file.ends_with("hygiene.rs"), "{}", task.site);
        assert!(task.site.module.starts_with("hygiene::"), "{}", task.site.module);
    }
}

#[test]
fn arguments_are_described_in_the_users_words() {
    let (registry, _) = Registry::linked();
    let arguments = |task: &str| -> Vec<(&str, &str)> {
        let task = registry.get(task).expect("the task is linked");
        task.arguments.iter().map(|argument| (argument.name, argument.ty)).collect()
    };
    assert_eq!(arguments("functions.returned"), []);
    assert_eq!(arguments("hostile.everything"), [("text", "String"), ("list", "Vec<u8>")]);
    assert_eq!(arguments("parameters.all")[0], ("all", "String"));
    assert!(arguments("parameters.all").contains(&("type", "u8")));
}

#[test]
fn each_argument_arrives_in_its_own_field() {
    let job = parameters::All::new("a", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    assert_eq!((job.all.as_str(), job.job, job.context, job.args, job.self_), ("a", 1, 2, 3, 4));
    assert_eq!((job.__task_job, job.__task_context, job.__task_arguments, job.__task_value_0), (5, 6, 7, 8));
    assert_eq!((job.r#type, job.value, job.error), (9, 10, 11));

    let job = functions::New::new(1, 2, 3);
    assert_eq!((job.new, job.options, job.enqueue), (1, 2, 3));
    assert_eq!(hostile::Everything::new("a", vec![1]).list, [1]);
}
