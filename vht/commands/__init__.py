"""The commands of ``vht``, by subject. They belong to the roof: nothing else imports them."""
