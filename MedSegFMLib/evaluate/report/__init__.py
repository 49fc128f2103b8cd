"""Tables, statistics, figures and the HTML report of an evaluation."""
