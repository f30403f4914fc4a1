"""The run on one machine without containers: private servers, the services, a site server, a mail catcher."""
