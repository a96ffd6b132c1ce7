"""Who the run is: the step's identity token, the role it may assume, the portal's token."""
