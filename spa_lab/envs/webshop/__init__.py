"""The web shop: WebShop's pages, search and reward, products of our own."""
