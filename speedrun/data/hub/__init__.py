"""TinyStories from the Hugging Face hub: read in bounded time, every failure named."""
