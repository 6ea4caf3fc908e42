"""What tests share: a platform, servers, browsers, people, questions."""
