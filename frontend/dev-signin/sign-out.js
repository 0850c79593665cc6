// Submits the only form of the sign-out page: the page that sent the reader here has asked already.
document.getElementById('sign-out').submit();
