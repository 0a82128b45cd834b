document.querySelector('.language-basic').style.color = 'green';
