use task_runtime::task;

fn main() {
    #[task(blocking)]
    fn shout(text: &str) -> Result<String, String> {
        Ok(text.to_uppercase())
    }

    fn inner() -> Whisper {
        Whisper::new("a")
    }

    #[task]
    async fn whisper(text: String) {
        drop(text);
    }

    assert_eq!(Shout::new("a").text, inner().text);
    assert_eq!(shout("a").as_deref(), Ok("A"));
}
