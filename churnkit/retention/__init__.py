"""The formulas applied to tables: metrics of each customer, of the company, of cohorts, and segments."""
