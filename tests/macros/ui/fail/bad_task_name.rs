use task_runtime::task;

#[task(name = "send email")]
async fn with_a_space() {}

#[task(name = "")]
async fn empty() {}

#[task(name = "emails.")]
async fn half() {}

#[task(name = "a_name_that_is_longer_than_the_sixty_four_characters_of_which_a_name_may_have")]
async fn long() {}

#[task]
async fn größe() {}

fn main() {}
