"""Charts, HTML, Markdown and the terminal's table: what people see, made from the records alone."""
