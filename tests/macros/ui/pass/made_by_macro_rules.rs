use task_runtime::{Data, task};

macro_rules! make {
    ($queue:literal, $timeout:expr, $name:ident, $job:ident, $parameter:ident: $ty:ty, $borrowed:ty, $injected:ty => $out:ty) => {
        #[task(queue = $queue, timeout = $timeout, job = $job)]
        async fn $name($parameter: $ty, text: $borrowed, constant: u8, #[inject] data: $injected) -> $out {
            let _ = ($parameter, text, constant, data);
            Ok(())
        }
    };
}

macro_rules! around {
    ($item:item) => {
        #[task(queue = "mail")]
        $item
    };
}

macro_rules! parts {
    ($visibility:vis $name:ident($($parameter:tt)*) $body:block) => {
        #[task]
        $visibility async fn $name($($parameter)*) $body
    };
}

around! {
    /// A whole item.
    async fn whole(text: &str, #[inject] data: &Data<u8>) {
        let _ = (text, data);
    }
}

parts!(pub(crate) visible(text: &str, #[inject] data: &Data<u8>) { let _ = (text, data); });
parts!(private() {});

make!("mail", 30, first, First, value: Vec<u8>, &str, Data<u8> => Result<(), String>);
make!("mail", "1h", second, Job, text_of: &[u8], &String, &Data<u8> => std::io::Result<()>);

fn main() {
    assert_eq!(Whole::new("a").text, Visible::new("a").text);
    let Private {} = Private::new();
    assert_eq!(First::new(vec![1], "a", 1).text, "a");
    assert_eq!(Job::new(vec![1], "b".to_owned(), 1).text_of, [1]);
}
